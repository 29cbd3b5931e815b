import ArgumentParser
import Site

/// A time to confirm in, as it is typed.
struct ConfirmationTime: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        guard let seconds = Guard.seconds(argument), Guard.confirmSeconds.contains(seconds) else {
            return nil
        }
        self.seconds = seconds
    }
}
