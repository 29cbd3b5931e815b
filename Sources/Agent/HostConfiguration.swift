internal import Configuration
internal import Enforcement
internal import LinuxSystem
internal import Logging
internal import Netlink
internal import Nftables
internal import PortModel
internal import Site
internal import SystemPackage

/// The configuration directory, and what it means for this host as it is now.
struct HostConfiguration: Sendable {
    let intake: ConfigurationIntake
    let log: Logger

    /// The directory's content, whole or not, without taking it up.
    func read() -> LoadedConfiguration { intake.asItIs().loaded }

    /// Compiles what was read for this host's addresses and routes.
    func compile(_ loaded: LoadedConfiguration) -> Compilation {
        do throws(Errno) {
            return Compilation(
                loaded, hostAddresses: try HostAddresses.current(), routes: routes)
        } catch {
            return Compilation(
                refusing: loaded, because: "this host's addresses can't be read: \(error)")
        }
    }

    /// This host's routing as the kernel has it now. No warning tells of a question that can't be
    /// asked.
    var routes: HostRoutes {
        let lookup: RouteLookup?
        do {
            lookup = try RouteLookup()
        } catch {
            log.warning("can't ask for routes: \(error)")
            lookup = nil
        }
        return HostRoutes(forwarded: Forwarding.families) { [log] address in
            do {
                return try lookup?.hasRoute(to: address) ?? true
            } catch {
                log.warning("can't ask for the route to \(address): \(error)")
                return true
            }
        }
    }
}
