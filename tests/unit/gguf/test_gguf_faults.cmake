target_link_options(test_gguf_faults PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=pread,--wrap=mmap,--wrap=pread64,--wrap=mmap64)
