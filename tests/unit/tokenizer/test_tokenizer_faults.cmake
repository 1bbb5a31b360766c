target_link_options(test_tokenizer_faults PRIVATE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
