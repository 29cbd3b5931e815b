internal import Glibc

/// This host's name for itself.
package enum HostName {
    /// The name without its domain; nil where it has none.
    package static var short: String? {
        var name = utsname()
        guard uname(&name) == 0 else { return nil }
        let text = withUnsafeBytes(of: &name.nodename) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return text.split(separator: ".").first.map(String.init)
    }
}
