# The files of web/ become part of vb_server.
file(GLOB web_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/*)
set(web_source ${CMAKE_BINARY_DIR}/web_files.c)
add_custom_command(OUTPUT ${web_source}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/web -DOUT=${web_source}
    -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${web_files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  COMMENT "Embedding web/" VERBATIM)
target_sources(vb_server PRIVATE ${web_source})
