# The drivers of the agent: their parsers and state machines, hostile compositors, and real ones.
compositord_test(agent_process
  SOURCES agent_process_test.cpp known_exit_test.cpp socket_clients_test.cpp
  LIBRARIES compositord::test_support compositord::agent_process compositord::clock
  OWN_MAIN)
compositord_test(child_process
  SOURCES child_process_test.cpp
  LIBRARIES compositord::agent_process)
compositord_test(agent_sway
  SOURCES sway_ipc_test.cpp sway_command_test.cpp
  LIBRARIES compositord::agent_sway)
compositord_test(agent_wayland
  SOURCES hostile_wayland_test.cpp display_watch_test.cpp compositor_facts_test.cpp
  LIBRARIES compositord::test_support compositord::agent_wayland compositord::clock)
compositord_test(agent_output
  SOURCES output_command_runner_test.cpp output_undo_test.cpp
  LIBRARIES compositord::agent_output)
compositord_test(drivers
  SOURCES ../integration/drivers_test.cpp ../integration/wlr_driver_test.cpp ../integration/kde_driver_test.cpp
          ../integration/mutter_driver_test.cpp ../integration/sway_reload_test.cpp support/bus_client.cpp
  LIBRARIES compositord::test_driver compositord_dep::sdbus
  LABELS integration support_matrix
  TIMEOUT 120)
compositord_test(launcher
  SOURCES launcher_test.cpp
  LIBRARIES compositord::test_support compositord::agent_process compositord::clock)

# A compositor with the documented IPC of one that can't run here; see its source.
compositord_find_sources(scripted_sources support/scripted/scripted_compositor.cpp support/scripted/scripted_output.cpp
                         support/scripted/scripted_hyprland.cpp support/scripted/scripted_niri.cpp
                         support/weston_capture_server.cpp)
add_executable(scripted_compositor ${scripted_sources})
target_link_libraries(scripted_compositor PRIVATE compositord_options compositord::msg compositord_dep::wayland_server)
set_target_properties(scripted_compositor PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin/tests")
compositord_test(agent_ipc
  SOURCES line_session_test.cpp hyprland_dialect_test.cpp niri_dialect_test.cpp
  LIBRARIES compositord::test_support compositord::agent_hyprland compositord::agent_niri)
compositord_test(scripted_drivers
  SOURCES ../integration/scripted_drivers_test.cpp
  LIBRARIES compositord::test_driver
  LABELS integration
  DEPENDS scripted_compositor
  DEFINITIONS SCRIPTED_COMPOSITOR="${CMAKE_BINARY_DIR}/bin/tests/scripted_compositor"
  TIMEOUT 120)
