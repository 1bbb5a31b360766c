# The test makes the nth allocation fail.
target_link_options(test_kv_pool PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=mmap)
