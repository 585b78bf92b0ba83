/// All cases on Kafka.
enum KafkaCases {
    static let all: [ContractCase] = KafkaLogCases.all + KafkaGroupCases.all + KafkaTransactionCases.all
}
