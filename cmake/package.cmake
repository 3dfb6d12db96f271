# What is installed, and the Debian package of it: `./dev deb`, or cpack in a build folder whose `trunkline` is built.
include(GNUInstallDirs)
install(TARGETS trunkline RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES deploy/systemd/trunkline.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME trunkline.conf)
install(FILES deploy/systemd/trunkline.yaml DESTINATION share/doc/trunkline/examples)
install(FILES LICENSE DESTINATION share/doc/trunkline RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "The Trunkline authors <noreply@trunkline.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Postgres-aware gateway")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Carries the PostgreSQL protocol to the right server: TLS, load balancing, pooling, failover,
 identity, audit, and a stated cause for each session that ends.")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers, ca-certificates, tzdata")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/systemd/postinst ${CMAKE_SOURCE_DIR}/deploy/systemd/prerm
  ${CMAKE_SOURCE_DIR}/deploy/systemd/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
