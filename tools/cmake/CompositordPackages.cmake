# Third-party libraries, all Debian packages that tools/deps installs. A missing one is named with its package.
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# compositord_pkg(TARGET pkg-config-module debian-package): an imported target compositord_dep::TARGET
function(compositord_pkg target module package)
  pkg_check_modules(${target} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${module} was not found: run tools/deps (Debian package ${package})")
  endif()
  add_library(compositord_dep::${target} ALIAS PkgConfig::${target})
endfunction()

compositord_pkg(zmq "libzmq>=4.3.4" libzmq3-dev)        # older ones have remote crashes
compositord_pkg(sqlite "sqlite3>=3.40" libsqlite3-dev)
compositord_pkg(sodium "libsodium>=1.0.18" libsodium-dev)
compositord_pkg(wayland_client "wayland-client>=1.21" libwayland-dev)
compositord_pkg(wayland_server "wayland-server>=1.21" libwayland-dev)  # tests only
compositord_pkg(sdbus "sdbus-c++>=1.2" libsdbus-c++-dev)
compositord_pkg(curl "libcurl>=7.88" libcurl4-openssl-dev)
compositord_pkg(pipewire "libpipewire-0.3>=0.3.65" libpipewire-0.3-dev)
compositord_pkg(xcb "xcb>=1.15" libxcb1-dev)
compositord_pkg(xcb_randr "xcb-randr>=1.15" libxcb-randr0-dev)
compositord_pkg(xcb_res "xcb-res>=1.15" libxcb-res0-dev)
compositord_pkg(xcb_xinput "xcb-xinput>=1.15" libxcb-xinput-dev)
compositord_pkg(xcb_xfixes "xcb-xfixes>=1.15" libxcb-xfixes0-dev)
compositord_pkg(cairo "cairo>=1.16" libcairo2-dev)
compositord_pkg(xau "xau>=1.0.9" libxau-dev)
compositord_pkg(png "libpng>=1.6" libpng-dev)

find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(cppzmq QUIET)
add_library(compositord_dep_msgpack INTERFACE)          # header-only; Debian's package has no boost-free cmake config
target_compile_definitions(compositord_dep_msgpack INTERFACE MSGPACK_NO_BOOST)
add_library(compositord_dep::msgpack ALIAS compositord_dep_msgpack)

find_program(WAYLAND_SCANNER wayland-scanner REQUIRED)
pkg_get_variable(WAYLAND_PROTOCOLS_DIR wayland-protocols pkgdatadir)
if(NOT WAYLAND_PROTOCOLS_DIR)
  message(FATAL_ERROR "wayland-protocols was not found: run tools/deps (Debian package wayland-protocols)")
endif()

# The wlr protocols have no package of their own in Debian 12; this one carries their XML, in a folder named by its
# version.
file(GLOB wlr_protocols_dirs /usr/share/cargo/registry/wayland-protocols-*/wlr-protocols/unstable)
list(POP_BACK wlr_protocols_dirs WLR_PROTOCOLS_DIR)
if(NOT WLR_PROTOCOLS_DIR)
  message(FATAL_ERROR "wlr-protocols was not found: run tools/deps (Debian package librust-wayland-protocols-dev)")
endif()

set(PLASMA_WAYLAND_PROTOCOLS_DIR /usr/share/plasma-wayland-protocols)
if(NOT EXISTS "${PLASMA_WAYLAND_PROTOCOLS_DIR}/kde-output-management-v2.xml")
  message(FATAL_ERROR "plasma-wayland-protocols was not found: run tools/deps (Debian package of that name)")
endif()

# Sanitizer runs want every byte initialised by code they can see; nothing to do for the packages above.
if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()
