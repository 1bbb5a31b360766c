target_link_options(test_sample_memory PRIVATE -Wl,--wrap=calloc)
