extension DeploymentDecoder {
    /// Refuses settings that are understood but not yet acted upon, since to ignore what protects
    /// would be worse than not to start.
    mutating func refuseWhatIsNotInThisVersion(_ root: YAMLMapping) {
        guard case .mapping(let entries) = root[RootKey.guards.rawValue]?.value.content else {
            return
        }
        if let confirm = entries[GuardKey.confirm.rawValue]?.value, !confirm.isNull {
            switch confirm.content {
            case .scalar("0", _), .scalar("off", _): break
            default:
                findings.error(confirm.location, "guard.confirm is not in this version: write off")
            }
        }
        if let probes = entries[GuardKey.probes.rawValue]?.value, !probes.isNull,
            probes.content != .sequence([])
        {
            findings.error(probes.location, "guard.probes is not in this version: remove it")
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
