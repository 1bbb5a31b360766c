# The test makes the nth allocation fail.
target_link_options(test_tlog_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
