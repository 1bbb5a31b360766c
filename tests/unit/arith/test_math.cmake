target_link_libraries(test_math PRIVATE mpfr gmp m)
