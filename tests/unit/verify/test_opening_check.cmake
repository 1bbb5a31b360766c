# Passes of the model are counted.
target_link_options(test_opening_check PRIVATE -Wl,--wrap=vb_forward_listed)
