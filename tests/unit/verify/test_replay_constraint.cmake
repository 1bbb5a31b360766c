# Passes of the model are counted.
target_link_options(test_replay_constraint PRIVATE -Wl,--wrap=vb_forward_listed)
