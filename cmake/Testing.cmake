# prefixmem_test(NAME SOURCES a.cc … LIBS target … [LABELS unit …] [APART]): one GoogleTest
# program; APART where its sources give one name to different things.
enable_testing()
find_package(GTest REQUIRED)

# A test that is skipped fails its program, unless its reason begins with what this host lacks, in
# brackets: GTEST_SKIP() << "(root) …".
set(PREFIXMEM_BAD_SKIP ": Skipped\n[^(]")

# What Python compiles lies there and not beside its sources, or each entry would compile all of
# transformers and PEFT that it imports.
set(PREFIXMEM_PYTHON_ENVIRONMENT
    "PREFIXMEM_BUILD=${CMAKE_BINARY_DIR}" "PYTHONPYCACHEPREFIX=${CMAKE_BINARY_DIR}/pycache")

# pytest_test(NAME ARGUMENT …): an entry of pytest's, in which no test is skipped for a reason that
# tests/run_pytest.py does not know.
function(pytest_test name)
  set(venv ${CMAKE_SOURCE_DIR}/.deps/venv)
  if(PREFIXMEM_VENV)
    set(venv ${PREFIXMEM_VENV})
  endif()
  add_test(NAME ${name}
           COMMAND ${venv}/bin/python ${CMAKE_SOURCE_DIR}/tests/run_pytest.py -q -p no:cacheprovider
                   ${ARGN})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${PREFIXMEM_PYTHON_ENVIRONMENT}")
endfunction()

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

# Under a sanitizer everything takes up to ten times as long.
set(PREFIXMEM_TEST_SECONDS 300)
if(PREFIXMEM_SANITIZE)
  set(PREFIXMEM_TEST_SECONDS 3000)
endif()

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
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${PREFIXMEM_TEST_SECONDS}
                       FAIL_REGULAR_EXPRESSION "${PREFIXMEM_BAD_SKIP}")
endfunction()
