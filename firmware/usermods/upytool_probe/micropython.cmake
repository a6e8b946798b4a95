# For cmake ports: USER_C_MODULES=<this file>. -DUPYTOOL_PROBE_ID=... gives it a build id.
add_library(usermod_upytool_probe INTERFACE)
target_sources(usermod_upytool_probe INTERFACE ${CMAKE_CURRENT_LIST_DIR}/upytool_probe.c)
target_include_directories(usermod_upytool_probe INTERFACE ${CMAKE_CURRENT_LIST_DIR})
if(UPYTOOL_PROBE_ID)
    target_compile_definitions(usermod_upytool_probe INTERFACE UPYTOOL_PROBE_ID="${UPYTOOL_PROBE_ID}")
endif()
target_link_libraries(usermod INTERFACE usermod_upytool_probe)
