# What is installed where, and the Debian packages of it: `cpack --config build/CPackConfig.cmake`.
#   pmt              the client with its benchmarks
#   pmt-coordinator  the coordinator and its unit
#   pmt-worker       agent, trainer and the tool for adapters, and the unit
#   pmt-libtorch     LibTorch and CUDA's libraries, for pmt-worker; 2.3 GB, so only where asked for:
#                    cpack -D CPACK_COMPONENTS_ALL=libtorch
# All have the version of scripts/version.sh but the last, whose version is LibTorch's: an upgrade of the others
# need not bring it again.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # a package needs its own programs built, no tests
set(components)

# install_program(NAME COMPONENT): as it is, with what the linker was told of folders of the build.
function(install_program name component)
  install(PROGRAMS $<TARGET_FILE:${name}> DESTINATION bin COMPONENT ${component})
endfunction()

# install_service(NAME COMPONENT): its unit, and the file of its flags, which is the operator's and may come to
# hold what not everybody is to read.
function(install_service name component)
  install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/${name}.service DESTINATION lib/systemd/system
          COMPONENT ${component})
  install(FILES ${CMAKE_SOURCE_DIR}/deploy/systemd/${component}.env DESTINATION /etc/prefixmem
          PERMISSIONS OWNER_READ OWNER_WRITE COMPONENT ${component})
endfunction()

if("client" IN_LIST PREFIXMEM_PARTS)
  list(APPEND components client)
  install_program(pmt client)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/benchmarks/ DESTINATION share/prefixmem/benchmarks
          COMPONENT client)
endif()
if("coordinator" IN_LIST PREFIXMEM_PARTS)
  list(APPEND components coordinator)
  install_program(pmt-coordinator coordinator)
  install_service(pmt-coordinator coordinator)
endif()
if("agent" IN_LIST PREFIXMEM_PARTS AND "trainer" IN_LIST PREFIXMEM_PARTS)
  list(APPEND components worker)
  install_service(pmt-worker worker)
  foreach(program pmt-worker pmt-rsh pmt-trainer pmt-adapter)
    install_program(${program} worker)
  endforeach()
endif()

# The wheel's folders keep their places to each other, by which its libraries find each other.
if("worker" IN_LIST components AND PREFIXMEM_SITE_PACKAGES)
  set(run_path)
  foreach(folder ${torch_lib} ${nvidia_libs})
    file(RELATIVE_PATH place ${PREFIXMEM_SITE_PACKAGES} ${folder})
    list(APPEND run_path "\\$ORIGIN/../lib/prefixmem/${place}")
    install(DIRECTORY ${folder}/ DESTINATION lib/prefixmem/${place} COMPONENT libtorch
            FILES_MATCHING PATTERN "*.so*" PATTERN "libtorch_python*" EXCLUDE)
  endforeach()
  list(JOIN run_path ":" run_path)
  foreach(program pmt-trainer pmt-adapter)
    install(CODE "file(RPATH_SET FILE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/${program}\"
                       NEW_RPATH \"${run_path}\")" COMPONENT worker)
  endforeach()
endif()

# The wheel's, which pins CUDA's libraries too. Raise what stands behind it when the package comes to hold
# other files of the same wheel, or to have them elsewhere.
if(PREFIXMEM_SITE_PACKAGES)
  file(GLOB wheel RELATIVE ${PREFIXMEM_SITE_PACKAGES} ${PREFIXMEM_SITE_PACKAGES}/torch-*.dist-info)
  if(NOT wheel MATCHES "^torch-([^;]+)\\.dist-info$")
    message(FATAL_ERROR "${PREFIXMEM_SITE_PACKAGES} holds \"${wheel}\" of torch; allowed: one wheel's torch-VERSION.dist-info")
  endif()
  set(libtorch_version ${CMAKE_MATCH_1}-1)
  set(needs_libtorch ", pmt-libtorch (= ${libtorch_version})")
endif()
configure_file(${CMAKE_SOURCE_DIR}/cmake/package_versions.cmake.in ${CMAKE_BINARY_DIR}/package_versions.cmake @ONLY)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_BINARY_DIR}/package_versions.cmake)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the prefixmem project")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${torch_lib} ${nvidia_libs})
set(CPACK_DEBIAN_LIBTORCH_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME pmt)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SUGGESTS pmt-worker)  # for its pmt-adapter
foreach(name coordinator worker libtorch)
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME pmt-${name})
endforeach()
foreach(name coordinator worker)
  string(TOUPPER ${name} upper)
  set(scripts ${CMAKE_SOURCE_DIR}/deploy/debian/${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${scripts}/conffiles ${scripts}/postinst ${scripts}/prerm)
endforeach()
set(CPACK_DEBIAN_COORDINATOR_PACKAGE_DEPENDS passwd)
set(CPACK_DEBIAN_COORDINATOR_PACKAGE_RECOMMENDS pmt)  # which restores backups
set(CPACK_DEBIAN_WORKER_PACKAGE_DEPENDS "passwd, openmpi-bin${needs_libtorch}")
set(CPACK_DEBIAN_WORKER_PACKAGE_RECOMMENDS ca-certificates)  # for --hub
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "command line of prefixmem\n Submits, follows and fetches training jobs of a coordinator.")
set(CPACK_COMPONENT_COORDINATOR_DESCRIPTION "coordinator of prefixmem\n Takes training jobs, places them on workers and keeps what comes out of them.")
set(CPACK_COMPONENT_WORKER_DESCRIPTION "worker of prefixmem\n Runs training jobs for a coordinator on this host.")
set(CPACK_COMPONENT_LIBTORCH_DESCRIPTION "LibTorch for the worker of prefixmem\n LibTorch with the libraries of CUDA that it loads.")
include(CPack)
