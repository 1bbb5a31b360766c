target_link_libraries(test_floatenv PRIVATE m)
