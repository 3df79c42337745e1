# How every target of this project is made: one library per folder, an alias
# compositord::<name>, include paths from the source root, our warnings as errors
# (third-party headers are SYSTEM and never judged), binaries in <build>/bin.

option(COMPOSITORD_WERROR "Treat warnings in our own targets as errors" ON)
option(COMPOSITORD_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(COMPOSITORD_SANITIZE "" CACHE STRING "Value of -fsanitize= for every target, or empty")
option(COMPOSITORD_COVERAGE "Instrument for gcov" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(COMPOSITORD_SANITIZE)
  add_compile_options(-fsanitize=${COMPOSITORD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${COMPOSITORD_SANITIZE})
endif()
if(COMPOSITORD_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

add_library(compositord_options INTERFACE)
target_include_directories(compositord_options INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(compositord_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wold-style-cast -Wcast-align -Wformat=2 -Wimplicit-fallthrough
  $<$<BOOL:${COMPOSITORD_WERROR}>:-Werror>)

# compositord_library(NAME SOURCES a.cpp b.cpp [PUBLIC lib ...] [PRIVATE lib ...])
function(compositord_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(compositord_${name} STATIC ${ARG_SOURCES})
  add_library(compositord::${name} ALIAS compositord_${name})
  target_include_directories(compositord_${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(compositord_${name} PUBLIC ${ARG_PUBLIC}
                        PRIVATE compositord_options ${ARG_PRIVATE})
endfunction()

# compositord_program(OUTPUT_NAME SOURCES a.cpp [LIBRARIES lib ...]): an executable in <build>/bin
function(compositord_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE compositord_options ${ARG_LIBRARIES})
  target_compile_definitions(${name} PRIVATE COMPOSITORD_VERSION="${PROJECT_VERSION}")
  install(TARGETS ${name} RUNTIME)
endfunction()
