# Each allocation fails in turn. What is left behind is counted here, or by LeakSanitizer, whose own
# thread can not pass through our free and munmap.
target_link_options(test_load PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=mmap,--wrap=mmap64)
if(NOT VB_SANITIZE)
  target_link_options(test_load PRIVATE -Wl,--wrap=free,--wrap=munmap)
  target_compile_definitions(test_load PRIVATE COUNT_WHAT_IS_LEFT)
endif()
