# Installation: headers, libraries, the command, a CMake package and pkg-config files.

include(CMakePackageConfigHelpers)

file(GLOB public_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/handfast/*.h")
if(NOT TARGET handfast_host)
    list(FILTER public_headers EXCLUDE REGEX "/host\\.h$")
endif()
install(FILES ${public_headers} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/handfast")

set(installed_libraries handfast_static handfast_shared)
# The Linux layer, libhandfast-host.a, is static only: its interface is young. What it is made of
# comes along; both use parts of the core that libhandfast.so does not show.
if(TARGET handfast_host)
    list(APPEND installed_libraries handfast_host)
    set_target_properties(handfast_host PROPERTIES EXPORT_NAME host OUTPUT_NAME handfast-host)
    if(TARGET handfast_show)
        list(APPEND installed_libraries handfast_show)
        set_target_properties(handfast_show PROPERTIES EXPORT_NAME show OUTPUT_NAME handfast-show)
    endif()
    target_include_directories(handfast_host PUBLIC
        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endif()
install(TARGETS ${installed_libraries} EXPORT handfast-targets)
if(TARGET handfast_cli)
    install(TARGETS handfast_cli)
endif()

# ---- CMake: find_package(handfast) gives handfast::handfast, ::handfast_static and ::host ----

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/handfast")
install(EXPORT handfast-targets NAMESPACE handfast:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/handfast-config.cmake.in
    "${PROJECT_BINARY_DIR}/handfast-config.cmake" INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/handfast-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/handfast-config.cmake"
    "${PROJECT_BINARY_DIR}/handfast-config-version.cmake" DESTINATION "${package_dir}")

# ---- pkg-config: paths relative to the file, so that the whole can be moved ----

file(RELATIVE_PATH pc_prefix
    "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix/")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
set(pc_files "${PROJECT_BINARY_DIR}/handfast.pc")
configure_file(handfast.pc.in handfast.pc @ONLY)
if(TARGET handfast_host)
    list(APPEND pc_files "${PROJECT_BINARY_DIR}/handfast-host.pc")
    configure_file(handfast-host.pc.in handfast-host.pc @ONLY)
endif()
install(FILES ${pc_files} DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
