#if Production
    import Ports

    /// Parts of the shop on real servers, until SIGTERM.
    struct RealCommands {
        private let parts: RealParts

        init(_ environment: Environment, _ configuration: ShopConfiguration) throws(ConfigurationError) {
            parts = try RealParts(environment, configuration)
        }

        func service(_ service: ShopComposition.Service) async throws {
            try await PartHost.run([try parts.service(service)])
        }

        func relays(_ names: [String]) async throws { try await PartHost.run([try parts.relays(names)]) }

        /// The whole shop in one process.
        func all() async throws {
            var hosts: [PartHost] = []
            for service in ShopComposition.services { hosts.append(try parts.service(service)) }
            hosts.append(try parts.relays(ShopComposition.serviceNames))
            hosts.append(try parts.gateway())
            Terminal.print(
                "commerce: the whole shop runs in this process, on Kafka at \(parts.servers.kafkaBootstrap) and"
                    + " \(ShopComposition.services.count) databases")
            try await PartHost.run(hosts)
        }
    }
#endif
