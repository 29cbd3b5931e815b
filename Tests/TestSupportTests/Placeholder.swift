import Testing

@Suite struct TestSupportPlaceholder {
    @Test func placeholder() {}
}
