# The test makes the nth allocation fail.
target_link_options(test_scheduler_faults PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap)
