import Testing

/// Every case about HTTP, simulated and over the loopback device: neither needs a server that somebody has to start.
@Suite("Contract of HTTP", .serialized)
struct HTTPContractTests {
    @Test("Simulated", .timeLimit(.minutes(1)), arguments: HTTPCases.all)
    func simulated(_ contractCase: ContractCase) throws { try SimulatedHTTPWorld.run(contractCase) }

    #if os(Linux)
        @Test(
            "Real, over the loopback device", .timeLimit(.minutes(1)), arguments: HTTPCases.all,
            LoopbackHTTPWorld.Implementation.allCases)
        func loopback(_ contractCase: ContractCase, _ implementation: LoopbackHTTPWorld.Implementation) async throws {
            try await contractCase.body(LoopbackHTTPWorld(implementation: implementation))
        }
    #endif

    @Test("Every case has an id of its own")
    func ids() {
        let ids = HTTPCases.all.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(ids.count >= 20)
    }
}
