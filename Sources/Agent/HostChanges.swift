internal import Enforcement
internal import LinuxSystem
internal import PortModel
internal import SystemPackage

/// Tells changes of this host that the configuration depends on from all others, which cost nothing:
/// on a gateway addresses come and go that concern no node.
final class HostChanges: Sendable {
    /// How soon a change of addresses is looked at after another one. The first is at once, since it
    /// may make this host the node that is to be enforced.
    static let addressPace = Duration.milliseconds(200)
    /// The kernel is asked for the way to each node, of which there may be thousands, this long after
    /// addresses changed.
    private static let routePace = Duration.seconds(30)

    private let dependence = Shared(HostDependence.unknown)
    private let routes = PendingTimer()

    /// Takes note of what was taken up.
    func took(_ compilation: Compilation) { dependence.value = compilation.hostDependence }

    /// Whether the host's addresses make another compilation than the one that was taken up.
    ///
    /// - Parameter later: called some time after addresses that make no other one, where routes may.
    func areAddressesOther(later: @escaping @Sendable () -> Void) -> Bool {
        let dependence = dependence.value
        do throws(Errno) {
            if dependence.isOther(by: try HostAddresses.current()) { return true }
        } catch {
            // The compilation says so.
            return true
        }
        if dependence.hasRoutes { routes.schedule(after: Self.routePace, later) }
        return false
    }

    /// Whether the host's routes make another compilation.
    func areRoutesOther(_ routes: HostRoutes) -> Bool { dependence.value.isOther(by: routes) }
}
