# The test makes the nth allocation fail.
target_link_options(test_api_faults PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
