# Programs that measure. Those that bench/report runs are built with all else, for a test runs it; the
# others when they are asked for.

# The loops that find ceilings of arithmetic.
add_library(bench_peaks STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/peaks.c)
target_include_directories(bench_peaks PUBLIC ${CMAKE_SOURCE_DIR}/bench)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  target_sources(bench_peaks PRIVATE ${CMAKE_SOURCE_DIR}/bench/peaks_neondot.c)
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/bench/peaks_neondot.c APPEND PROPERTY COMPILE_OPTIONS
    -march=armv8.2-a+dotprod)
endif()

# Each kernel against the machine's ceilings: ninja bench_kernels
add_executable(bench_kernels ${CMAKE_SOURCE_DIR}/bench/kernels.c
  ${CMAKE_SOURCE_DIR}/bench/rows.c ${CMAKE_SOURCE_DIR}/bench/measure.c)
target_link_libraries(bench_kernels PRIVATE vb_kernels bench_peaks)
if(OpenMP_C_FOUND)
  target_link_libraries(bench_kernels PRIVATE OpenMP::OpenMP_C)
endif()

# A whole model, one thread, split by kernel: ninja bench_model
add_executable(bench_model EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/model.c)
target_link_libraries(bench_model PRIVATE vb_model bench_peaks)

# Proofs, signatures and whole receipts, without a model: ninja bench_protocol
add_executable(bench_protocol EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/protocol.c)
target_link_libraries(bench_protocol PRIVATE vb_verify)

# Streams that decode together, against one alone: ninja bench_scheduler
add_executable(bench_scheduler ${CMAKE_SOURCE_DIR}/bench/scheduler.c)
target_link_libraries(bench_scheduler PRIVATE vb_engine)

# The server under load, beside the engine alone: ninja bench_server
file(GLOB bench_server_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/server/*.c)
add_executable(bench_server EXCLUDE_FROM_ALL ${bench_server_sources})
target_include_directories(bench_server PRIVATE ${CMAKE_SOURCE_DIR}/bench/server)
target_compile_definitions(bench_server PRIVATE VB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_link_libraries(bench_server PRIVATE vb_engine PkgConfig::JANSSON)

# What rows of a decoding pass cost, and what drafts gain: ninja bench_lookup
add_executable(bench_lookup EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/lookup.c)
target_link_libraries(bench_lookup PRIVATE vb_engine)

# What an answer costs beside the model: draws, trace, receipt: ninja bench_answer
add_executable(bench_answer ${CMAKE_SOURCE_DIR}/bench/answer.c)
target_link_libraries(bench_answer PRIVATE vb_engine)

# What a long context costs: ninja bench_context
add_executable(bench_context ${CMAKE_SOURCE_DIR}/bench/context.c)
target_link_libraries(bench_context PRIVATE vb_model)

# Receipts verified together, against one after another: ninja bench_replay
add_executable(bench_replay EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/replay.c)
target_link_libraries(bench_replay PRIVATE vb_verify)

# A transparency log: written, opened, verified, proved from, mirrored: ninja bench_tlog
add_executable(bench_tlog EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/tlog.c)
target_link_libraries(bench_tlog PRIVATE vb_tlog)
