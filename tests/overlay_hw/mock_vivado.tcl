# Vivado and Vitis HLS without either: every command the scripts use, checked for what can be checked, and what they
# did on stdout for packaging_test.py. A command that is not here is an error, as a misspelt one would be.
#   tclsh mock_vivado.tcl SCRIPT

set cells {}
foreach command {create_project update_ip_catalog create_bd_design create_bd_port make_wrapper update_compile_order
    ipx::package_project ipx::associate_bus_interfaces ipx::update_checksums ipx::save_core assign_bd_address
    validate_bd_design save_bd_design open_project add_files open_solution set_part create_clock csynth_design
    export_design set_top config_array_partition} {
  namespace eval [namespace qualifiers ::$command] {}
  proc ::$command {args} "puts \"did $command \$args\""
}
proc glob {args} { return [lindex $args end] }
proc current_project {} { return project }
proc ipx::current_core {} { return core }
proc get_files {name} { return $name }
proc package_xo {args} { puts "did package_xo $args" }
proc create_bd_cell {args} {
  set name [lindex $args end]
  if {[dict exists $::cells $name]} { error "cell $name exists already" }
  set options [lrange $args 0 end-1]
  dict set ::cells $name $options
  puts "cell $name [expr {[dict exists $options -reference] ? [dict get $options -reference] : [dict get $options -vlnv]}]"
}
proc known {pin} {
  set cell [lindex [split $pin /] 0]
  if {![dict exists $::cells $cell]} { error "pin $pin: there is no cell $cell" }
  return $pin
}
proc get_bd_cells {name} { known $name/; return $name }
proc get_bd_pins {pin} { return [known $pin] }
proc get_bd_intf_pins {pin} { return [known $pin] }
proc get_bd_ports {name} { return port:$name }
proc get_bd_intf_ports {name} { return port:$name }
proc get_property {name object} { return 4 }
proc set_property {args} { puts "property $args" }
proc connect_bd_net {from to} { puts "net $from $to" }
proc connect_bd_intf_net {from to} { puts "net $from $to" }
proc make_bd_intf_pins_external {args} { puts "external $args" }

source [lindex $argv 0]
puts "end"
