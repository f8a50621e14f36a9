# prefixmem_test(NAME SOURCES a.cc … LIBS target … [LABELS unit …] [APART]): one GoogleTest
# program; APART where its sources give one name to different things.
enable_testing()
find_package(GTest REQUIRED)

# precompile_torch(NAME): LibTorch's headers, parsed once for all programs that call this. The library
# cannot lend its own: it is compiled with -fPIC, a program with -fPIE.
function(precompile_torch name)
  get_property(owner GLOBAL PROPERTY PREFIXMEM_TORCH_HEADERS)
  if(owner)
    target_precompile_headers(${name} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${name} PRIVATE <torch/autograd.h> <torch/utils.h> <gmock/gmock.h>)
    set_property(GLOBAL PROPERTY PREFIXMEM_TORCH_HEADERS ${name})
  endif()
endfunction()

function(prefixmem_test name)
  cmake_parse_arguments(ARG "APART" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(NOT ARG_APART)
    unite(${name})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  if("prefixmem_trainer" IN_LIST ARG_LIBS)
    precompile_torch(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
endfunction()
