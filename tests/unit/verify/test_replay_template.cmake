# Passes of the model are counted.
target_link_options(test_replay_template PRIVATE -Wl,--wrap=vb_forward_listed)
