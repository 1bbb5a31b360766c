# cmake --install, and cpack -G DEB. The unit and the example configuration name the paths of
# CMAKE_INSTALL_PREFIX: choose it when configuring (a package: /usr), and move a tree with DESTDIR.
include(GNUInstallDirs)
set(data_dir ${CMAKE_INSTALL_DATADIR}/verbatim)
set(config_dir ${CMAKE_INSTALL_FULL_SYSCONFDIR}/verbatim)
set(packaging_dir ${CMAKE_BINARY_DIR}/packaging)

install(TARGETS verbatim libverbatim)
install(DIRECTORY include/verbatim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(FILES README.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs spec DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md"
  PATTERN vectors EXCLUDE PATTERN schema EXCLUDE)
install(FILES models/verbatim-demo/verbatim-demo-q8_0.gguf DESTINATION ${data_dir}/models)

set(VB_EXECUTABLE ${CMAKE_INSTALL_FULL_BINDIR}/verbatim)
set(VB_CONFIG ${config_dir}/verbatim.json)
set(VB_DEMO_MODEL ${CMAKE_INSTALL_FULL_DATADIR}/verbatim/models/verbatim-demo-q8_0.gguf)
configure_file(packaging/verbatim.service.in ${packaging_dir}/verbatim.service @ONLY)
configure_file(packaging/verbatim.json.in ${packaging_dir}/verbatim.json @ONLY)
install(FILES ${packaging_dir}/verbatim.service DESTINATION lib/systemd/system)
install(FILES packaging/sysusers.conf DESTINATION lib/sysusers.d RENAME verbatim.conf)
install(FILES ${packaging_dir}/verbatim.json DESTINATION ${config_dir})

set(CPACK_PACKAGE_NAME verbatim)
set(CPACK_PACKAGE_CONTACT "The Verbatim contributors <verbatim@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Language model server whose answers carry receipts")
set(CPACK_PACKAGE_DESCRIPTION "Every answer comes with a receipt that anybody who has the model
can replay, bit for bit.")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# TLS to beacons is verified with Debian's certificates.
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
file(WRITE ${packaging_dir}/conffiles "${VB_CONFIG}\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${packaging_dir}/conffiles
  ${CMAKE_SOURCE_DIR}/packaging/postinst)
include(CPack)
