extension DeploymentDecoder {
    /// Refuses settings that are understood but not yet acted upon, since to ignore what protects
    /// would be worse than not to start.
    mutating func refuseWhatIsNotInThisVersion(_ root: YAMLMapping) {
        guard case .mapping(let entries) = root[RootKey.guards.rawValue]?.value.content else {
            return
        }
        if let revoke = entries[GuardKey.revokeEstablished.rawValue]?.value,
            revoke.content == .scalar("true", isPlain: true)
        {
            findings.warning(
                revoke.location,
                "guard.revoke_established is not in this version: established flows that a change no longer permits go on until they end"
            )
        }
    }
}
