# The test makes the nth allocation fail.
target_link_options(test_jinja_faults PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
