# Installs the targets, the headers and what find_package(flux) needs.
include(CMakePackageConfigHelpers)

set(flux_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/flux")

set_target_properties(flux_asio PROPERTIES EXPORT_NAME asio)
set_target_properties(flux_rapidjson PROPERTIES EXPORT_NAME rapidjson)
set_target_properties(flux_header_only PROPERTIES EXPORT_NAME header_only)
install(TARGETS flux flux_asio flux_rapidjson flux_header_only ${flux_sql_targets} EXPORT flux-targets)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/flux" "${flux_generated_dir}/flux" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT flux-targets NAMESPACE flux:: DESTINATION "${flux_package_dir}")

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/flux-config.cmake.in" "${PROJECT_BINARY_DIR}/flux-config.cmake"
  INSTALL_DESTINATION "${flux_package_dir}"
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/flux-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/flux-config.cmake" "${PROJECT_BINARY_DIR}/flux-config-version.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindAsio.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindWebsocketpp.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindRapidJSON.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindMariaDBClient.cmake"
        DESTINATION "${flux_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/src/js/flux.js" "${PROJECT_SOURCE_DIR}/src/js/flux.d.ts"
              "${PROJECT_SOURCE_DIR}/src/js/package.json"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/flux")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
