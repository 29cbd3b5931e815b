/// How to put something right, as commands for root's shell.
package struct Mend: Hashable, Sendable, Codable {
    /// Puts it right now. Words in capitals are to be filled in.
    package var command: String
    /// Keeps it right after a restart of the host: a command too, or what to do in words; nil where
    /// `command` lasts.
    package var permanently: String?

    package init(_ command: String, permanently: String? = nil) {
        self.command = command
        self.permanently = permanently
    }
}

// MARK: Commands that mend what several checks find

extension Mend {
    static let sysctlFile = "/etc/sysctl.d/90-pexip-fw.conf"
    static let modulesFile = "/etc/modules-load.d/pexip-fw.conf"

    /// Sets kernel parameters.
    ///
    /// - Parameters:
    ///   - settings: paths below `/proc/sys`, and values.
    ///   - module: the kernel module without which there are no such parameters: at boot it must be
    ///     there before they are set.
    ///   - isLoaded: whether the module is there now.
    static func setting(
        _ settings: [(path: String, value: String)], of module: String? = nil,
        isLoaded: Bool = true
    ) -> Mend {
        let named = settings.map { (key: Self.key($0.path), value: $0.value) }
        var now = "sysctl -w " + named.map { word("\($0.key)=\($0.value)") }.joined(separator: " ")
        let lines = named.map { word("\($0.key) = \($0.value)") }.joined(separator: " ")
        var later = "printf '%s\\n' \(lines) >>\(sysctlFile)"
        if let module {
            if !isLoaded { now = "modprobe \(module) && " + now }
            later = "echo \(module) >>\(modulesFile) && " + later
        }
        return Mend(now, permanently: later)
    }

    /// A parameter's name as sysctl and sysctl.d take it: with slashes where a name has a dot, such
    /// as that of a VLAN's interface.
    private static func key(_ path: String) -> String {
        path.contains(".") ? path : path.split(separator: "/").joined(separator: ".")
    }

    /// A word for the shell.
    static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./=,:@%+".utf8.contains(byte)
            }
        }
        if isPlain, !text.isEmpty { return text }
        return "'"
            + text.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}
