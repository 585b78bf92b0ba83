#if os(Linux)
    import AdapterHTTP
    import AdapterSystem
    import Ports

    /// The built-in payment provider as a process of its own. It needs no server but the payment service that it notifies.
    enum GatewayPart {
        static let defaultPort = 8_090

        static func host(
            _ environment: Environment, _ configuration: ShopConfiguration, _ payment: HTTPAddress
        ) throws(ConfigurationError) -> PartHost {
            let log = JSONLinesLog(service: "gateway", minimumLevel: configuration.logLevel)
            return PartHost(
                name: "gateway", http: try configuration.http(of: "gateway", defaultPort: defaultPort, environment),
                drainTimeout: configuration.drainTimeout, metrics: Metrics(service: "gateway"), log: log
            ) {
                let (callbacks, continuation) = AsyncStream<String>.makeStream(
                    bufferingPolicy: .bufferingNewest(100_000))
                let gateway = DemonstrationGateway(
                    identifiers: RandomIdentifiers(), refusalPercent: configuration.gatewayRefusalPercent
                ) { continuation.yield($0) }
                let sender = CallbackSender(ReactorHTTPClient(payment), SystemClock())
                return PartHost.Work(handler: gateway) {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        // Several at a time: one that is not answered must not hold up the others.
                        var underWay = 0
                        for await path in callbacks {
                            if underWay == 8 { try await group.next() } else { underWay += 1 }
                            group.addTask { try await sender.send(path) }
                        }
                        try await group.waitForAll()
                    }
                    try Task.checkCancellation()
                }
            }
        }
    }
#endif
