/// The version of this program, as the package and the changelog number it.
package enum Version {
    /// `MAJOR.MINOR.PATCH`.
    package static let current = "0.1.0"
}
