target_sources(test_mutants PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/kernel_check.c
  ${CMAKE_SOURCE_DIR}/tests/support/guarded.c ${CMAKE_SOURCE_DIR}/tests/mutants/mutants.c
  ${CMAKE_SOURCE_DIR}/tests/mutants/mutants_product.c)
target_link_libraries(test_mutants PRIVATE m)
