# What scripts/version.sh prints when something is built goes into build_version.cc, from which programs have it,
# and into version.cmake, from which cpack has it. Both are written where it has changed.
set(version_source ${CMAKE_BINARY_DIR}/build_version.cc)
add_custom_target(prefixmem_version
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DBUILD=${CMAKE_BINARY_DIR}
          -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${version_source} ${CMAKE_BINARY_DIR}/version.cmake VERBATIM)

# name_build(PROGRAM …): what version() says in these programs. In them alone, so that a commit links no test
# again.
function(name_build)
  foreach(program ${ARGN})
    target_sources(${program} PRIVATE ${version_source})
    add_dependencies(${program} prefixmem_version)
  endforeach()
endfunction()
