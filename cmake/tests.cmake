# tests/unit/<layer>/test_*.c    one cmocka program each, linked with that layer
# tests/fuzz/<layer>/fuzz_*.c    one LLVMFuzzerTestOneInput each: with VB_FUZZ a fuzzer,
#                                otherwise a program that replays its corpus folder
#                                tests/fuzz/<layer>/corpus/<name without fuzz_>/
# Tests get VB_SOURCE_DIR (this tree) and find shared data through VB_DATA_DIR (environment),
# by default <tree>/../shared/data.

find_package(PkgConfig REQUIRED)
if(NOT VB_CORE_ONLY)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

add_library(vb_testing STATIC ${CMAKE_SOURCE_DIR}/tests/support/testing.c)
target_include_directories(vb_testing PUBLIC ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(vb_testing PUBLIC VB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")

if(NOT VB_CORE_ONLY)
  target_link_libraries(vb_testing PUBLIC PkgConfig::CMOCKA)
  file(GLOB unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/*/test_*.c)
  foreach(src ${unit_tests})
    get_filename_component(name ${src} NAME_WE)
    get_filename_component(dir ${src} DIRECTORY)
    get_filename_component(layer ${dir} NAME)
    add_executable(${name} ${src})
    target_link_libraries(${name} PRIVATE vb_${layer} vb_testing)
    add_test(NAME unit/${layer}/${name} COMMAND ${name})
    set_tests_properties(unit/${layer}/${name} PROPERTIES LABELS unit TIMEOUT 900
      ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan.supp")
    if(EXISTS ${dir}/${name}.cmake) # extra libraries (MPFR) of one test
      include(${dir}/${name}.cmake)
    endif()
  endforeach()

  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*/fuzz_*.c)
  foreach(src ${fuzzers})
    get_filename_component(name ${src} NAME_WE)
    get_filename_component(dir ${src} DIRECTORY)
    get_filename_component(layer ${dir} NAME)
    string(REGEX REPLACE "^fuzz_" "" short ${name})
    if(VB_FUZZ)
      add_executable(${name} ${src})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      add_executable(${name} ${src} ${CMAKE_SOURCE_DIR}/tests/support/replay.c)
      add_test(NAME fuzz/${layer}/${short} COMMAND ${name} ${dir}/corpus/${short})
      set_tests_properties(fuzz/${layer}/${short} PROPERTIES LABELS fuzz TIMEOUT 600)
    endif()
    target_link_libraries(${name} PRIVATE vb_${layer} vb_testing)
  endforeach()
endif()

# Programs for other machines and for scripts: tests/programs/<layer>/*.c, no test framework.
file(GLOB programs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/programs/*/*.c)
foreach(src ${programs})
  get_filename_component(name ${src} NAME_WE)
  get_filename_component(dir ${src} DIRECTORY)
  get_filename_component(layer ${dir} NAME)
  if(TARGET vb_${layer})
    add_executable(${name} ${src})
    target_link_libraries(${name} PRIVATE vb_${layer})
    target_compile_definitions(${name} PRIVATE VB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  endif()
endforeach()

# Scripts: every tests/<kind>/*.test is an executable that exits 0 (pass), 77 (skip, its
# last line names the reason) or something else (fail). It gets VB_BUILD_DIR in its environment.
if(NOT VB_CORE_ONLY)
  # LeakSanitizer's tracer of clang 14 crashes at exit when many OpenMP threads wait; the unit
  # tests look for leaks, the scripts for all else.
  if(VB_SANITIZE)
    set(script_environment "ASAN_OPTIONS=detect_leaks=0")
  endif()
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/*.test)
  foreach(src ${scripts})
    get_filename_component(name ${src} NAME_WE)
    get_filename_component(dir ${src} DIRECTORY)
    get_filename_component(kind ${dir} NAME)
    add_test(NAME ${kind}/${name} COMMAND ${src})
    set_tests_properties(${kind}/${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800 LABELS ${kind}
      ENVIRONMENT
      "VB_BUILD_DIR=${CMAKE_BINARY_DIR};VB_SOURCE_DIR=${CMAKE_SOURCE_DIR};${script_environment}")
  endforeach()
endif()
