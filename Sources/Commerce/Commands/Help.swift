import Domain

/// What `--help` prints.
enum Help {
    static let overview = """
        usage: commerce COMMAND [--help] [--version]

          all             the whole shop in one process; without any server configured on simulated parts, in real time
          order, payment, inventory, shipping, notification
                          one service
          cdc [NAME...]   the relays that publish the outboxes of these databases (default: of all)
          gateway         the built-in payment provider
          check           what can be reached, with latency and versions
          load            places orders at a running shop, measures it, and judges what became of them

        Settings come from the environment; any NAME may be given as NAME_FILE, the path of a file whose first line holds it.
        `commerce COMMAND --help` lists the settings of a command. Exit status: 0 good, 1 failed, 2 wrong usage.
        """

    /// The settings of a command as a table: name, default, unit, meaning.
    static func text(_ command: String) -> String {
        var lines = [usage(command), "", "Settings, by environment variable:", ""]
        let rows =
            [["NAME", "DEFAULT", "UNIT", "MEANING"]]
            + variables(command).map { variable in
                [
                    variable.name, variable.defaultText.isEmpty ? "-" : variable.defaultText, variable.unit,
                    variable.meaning,
                ]
            }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            var line = "  "
            for column in 0..<3 {
                line += row[column] + String(repeating: " ", count: widths[column] - row[column].count + 2)
            }
            lines.append(line + row[3])
        }
        return lines.joined(separator: "\n")
    }

    private static func usage(_ command: String) -> String {
        switch command {
        case "cdc":
            "usage: commerce cdc [NAME...]\n\nPublishes the outboxes of the named services' databases (default: \(ShopComposition.serviceNames.joined(separator: ", ")))."
        case "load":
            """
            usage: commerce load [--orders N] [--customers N] [--workload FILE] [--json]

            Places orders at a running shop, pays them, waits for their end, and judges databases and topics.

              --orders N         how many (default 2000)
              --customers N      how many customers order at once (default 32)
              --workload FILE    a purchase log to take them from (default: the one that is built in)
              --json             prints the result as one JSON object

            Exit status: 0 every property held, or nothing was there to judge by (databases and topics are not named: see the
            line `judgement`), 1 a property did not hold or orders are unfinished, 2 wrong usage.
            """
        case "all":
            "usage: commerce all\n\nRuns the whole shop in one process: on real servers when \(Variables.kafkaBootstrap.name) and POSTGRES_URL_* are set, on simulated parts when none is."
        case "check":
            "usage: commerce check\n\nSays what can be reached. Exit status 1 when something that is configured cannot be."
        case "gateway":
            "usage: commerce gateway\n\nRuns the built-in payment provider, whose books end with the process."
        default: "usage: commerce \(command)\n\nRuns the \(command) service."
        }
    }

    static func variables(_ command: String) -> [Variable] {
        let ports = ShopComposition.services.map { Variables.port($0.name, $0.defaultPort) }
        let gatewayPort = Variables.port("gateway", 8_090)
        let relayPort = Variables.port("cdc", 8_091)
        let databases = ShopComposition.serviceNames.map { Variables.postgresURL($0) }
        let servers = [
            Variables.kafkaBootstrap, Variables.sessionTimeout, Variables.fetchWait, Variables.relayGather,
            Variables.postgresConnections, Variables.topicPartitions, Variables.topicReplicas,
            Variables.topicMinimumInSync, Variables.startupTimeout,
        ]
        let http = [
            Variables.listenHost, Variables.maximumBody, Variables.maximumHeader, Variables.maximumConnections,
            Variables.requestTimeout, Variables.idleTimeout, Variables.heartbeat, Variables.drainTimeout,
        ]
        let process = [Variables.instanceName, Variables.logLevel]
        let shop = [
            Variables.paymentLifetime, Variables.expirySweep, Variables.dispatchDelay, Variables.deliveryDelay,
            Variables.shippingSweep, Variables.archiveRetention, Variables.seedItems, Variables.seedStock,
        ]
        switch command {
        case "all":
            return databases + servers + ports + [gatewayPort, relayPort] + http + shop
                + [Variables.simulatedLatency, Variables.gatewayRefusals] + process
        case "cdc": return databases + servers + [relayPort] + http + process
        case "gateway": return [Variables.paymentURL, Variables.gatewayRefusals, gatewayPort] + http + process
        case "check", "load": return databases + [Variables.kafkaBootstrap, Variables.shopHost] + ports + [gatewayPort]
        default:
            guard let service = ShopComposition.service(named: command) else { return [] }
            let own = command == PaymentService.name ? [Variables.gatewayURL] : []
            return [Variables.postgresURL(command)] + servers + own
                + [Variables.port(command, service.defaultPort)] + http + shop + process
        }
    }
}
