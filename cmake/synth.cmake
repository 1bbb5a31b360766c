# verbatim-synth: GGUF files of real shapes with random weights, for measurements (bench/).

if(NOT VB_CORE_ONLY)
  file(GLOB synth_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/synth/*.c)
  add_executable(verbatim-synth ${synth_sources})
  target_include_directories(verbatim-synth PRIVATE ${CMAKE_SOURCE_DIR}/bench/synth)
  target_link_libraries(verbatim-synth PRIVATE vb_gguf vb_arith vb_base PkgConfig::JANSSON)
endif()

if(NOT VB_CORE_ONLY AND VB_TESTS) # what tests/synth/synth.test reads the files with
  add_executable(synth-check tests/synth/synth_check.c)
  target_link_libraries(synth-check PRIVATE vb_gguf vb_arith vb_base m)
endif()
