# cmake -DSOURCE=FOLDER -DBUILD=FOLDER -P write_version.cmake: see Version.cmake.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${SOURCE}/scripts/version.sh OUTPUT_VARIABLE PREFIXMEM_VERSION
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
configure_file(${SOURCE}/cmake/build_version.cc.in ${BUILD}/build_version.cc @ONLY)
configure_file(${SOURCE}/cmake/version.cmake.in ${BUILD}/version.cmake @ONLY)
