# unite(TARGET): compiles its sources folder by folder, up to eight as one text (a unity build): most of
# what one costs is in headers that its neighbours read too. Sources with options of their own stay
# alone. Off, each source is compiled alone, and compile_commands.json names each, as editors like it.
#
# CMake's own UNITY_BUILD names the sources by absolute paths, so that ccache knows no object again in
# another clone.
option(PREFIXMEM_UNITY "Compile the sources of a folder together" ON)

function(unite target)
  if(NOT PREFIXMEM_UNITY)
    return()
  endif()
  # A type that only one source knows looks to g++ as if it stood in a header.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  set(texts)
  foreach(source ${sources})
    get_source_file_property(options ${source} COMPILE_OPTIONS)
    get_source_file_property(definitions ${source} COMPILE_DEFINITIONS)
    get_source_file_property(generated ${source} GENERATED)
    if(options OR definitions OR generated)
      continue()
    endif()
    cmake_path(ABSOLUTE_PATH source)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE path)
    cmake_path(GET path PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER ${folder} folder)
    list(APPEND in_${folder} ${source})
    list(LENGTH in_${folder} count)
    math(EXPR number "(${count} - 1) / 8")
    set(text ${folder}_${number})
    list(APPEND texts ${text})
    list(APPEND sources_${text} ${source})
    string(APPEND content_${text} "#include \"${path}\"\n")
  endforeach()
  list(REMOVE_DUPLICATES texts)
  foreach(text ${texts})
    set(file ${CMAKE_BINARY_DIR}/unity/${target}/${text}.cc)
    file(GENERATE OUTPUT ${file} CONTENT "${content_${text}}")
    set_source_files_properties(${sources_${text}} PROPERTIES HEADER_FILE_ONLY ON)
    target_sources(${target} PRIVATE ${file})
  endforeach()
endfunction()
