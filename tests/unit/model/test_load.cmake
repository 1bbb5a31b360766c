# Each allocation and each read of the file fails in turn.
target_link_options(test_load PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=free,--wrap=mmap,--wrap=mmap64,--wrap=munmap)
