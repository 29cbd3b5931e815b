internal import CNftables
internal import LinuxSystem

/// A libnftables context with buffered output.
///
/// Not thread-safe, and its calls block: only ``NftablesKernel`` uses it, on its own queue.
final class NftablesContext {
    private let context: OpaquePointer

    /// - Throws: ``NftablesError/Code/unavailable`` when the library can't make a context. A netlink
    ///   socket that can't be opened ends the process: libnftables calls `exit`.
    init(isDryRun: Bool = false) throws(NftablesError) {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
            throw NftablesError(.unavailable, "libnftables can't make a context: out of memory")
        }
        self.context = context
        guard nft_ctx_buffer_output(context) == 0, nft_ctx_buffer_error(context) == 0 else {
            nft_ctx_free(context)
            throw NftablesError(.unavailable, "libnftables can't buffer its output: out of memory")
        }
        nft_ctx_set_dry_run(context, isDryRun)
        // Numbers instead of names: a listing must not depend on /etc/protocols or on a version's
        // choice of words.
        nft_ctx_output_set_flags(
            context, UInt32(NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL))
    }

    deinit { nft_ctx_free(context) }

    /// Runs commands of nft's language as one transaction.
    ///
    /// - Returns: what the commands printed: JSON for listings.
    func run(_ commands: String) throws(RunFailure) -> String {
        // From a file in memory rather than a buffer, about whose errors libnftables tells no line.
        let status: Int32
        do throws(SystemError) {
            let file = try MemoryFile(holding: Array(commands.utf8), name: "nftables")
            status = nft_run_cmd_from_filename(context, file.path)
            // A value that can't be copied lives until its last use.
            _ = consume file
        } catch {
            throw RunFailure(text: "Error: \(error)")
        }
        // The library reuses its buffers in the next call.
        let output = nft_ctx_get_output_buffer(context).map { String(cString: $0) } ?? ""
        let errors = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
        guard status == 0 else { throw RunFailure(text: errors) }
        return output
    }

    /// What libnftables wrote about commands that failed: for each a line
    /// `FILE:LINE:COLUMNS: Error: …`, then the line of input and a marker below it.
    struct RunFailure: Error {
        let text: String

        /// The complaints, each with the number from 1 of the line of input that it is about.
        var complaints: [(message: String, line: Int?)] {
            let found = text.split(separator: "\n").compactMap { line -> (String, Int?)? in
                guard let mark = line.firstRange(of: "Error: ") else { return nil }
                let place = line[..<mark.lowerBound].split(separator: ":")
                return (
                    String(line[mark.upperBound...]), place.count >= 2 ? Int(place[1]) : nil
                )
            }
            return found.isEmpty ? [(text.isEmpty ? "no reason given" : text, nil)] : found
        }
    }
}
