# Language level, warnings, ccache, mold, sanitizers and where programs land.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")  # asserts stay on, stacks stay readable

find_program(CCACHE ccache)
if(CCACHE)
  # Precompiled headers need the sloppiness settings to be cacheable. How g++ collects its garbage
  # (below) changes no object.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_IGNOREOPTIONS=--param=* ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # kB. By default g++ collects its garbage from 128 MB on, which costs what includes LibTorch a tenth
  # to a quarter of its time and saves a twentieth of its memory.
  add_compile_options(--param=ggc-min-heapsize=1000000)
endif()
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

set(PREFIXMEM_SANITIZE "" CACHE STRING "address,undefined or thread: builds everything with it")
if(PREFIXMEM_SANITIZE)
  add_compile_options(-fsanitize=${PREFIXMEM_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PREFIXMEM_SANITIZE})
endif()
if(PREFIXMEM_SANITIZE MATCHES "thread")
  # By it Protobuf's headers lay out maps otherwise than Debian's library, which is built without.
  add_compile_options(-U__SANITIZE_THREAD__)
endif()

find_package(Threads REQUIRED)
include_directories(${CMAKE_SOURCE_DIR})
