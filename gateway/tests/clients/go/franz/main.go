// franz-go under the common command line of the client programs.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"example.test/clients/records"
)

func main() {
	options := records.Parse()
	client, err := kgo.NewClient(settings(options)...)
	records.Fail(err)
	defer client.Close()
	if options.Consume {
		consume(client, options)
	} else {
		produce(client, options)
	}
	records.Done()
}

func settings(o records.Options) []kgo.Opt {
	all := []kgo.Opt{
		kgo.SeedBrokers(o.Bootstrap),
		kgo.ClientID("franz-go"),
		kgo.DefaultProduceTopic(o.Topic),
		kgo.ProducerBatchCompression(codec(o.Codec)),
		kgo.ProducerLinger(o.Linger()),
	}
	if config := o.TLS(); config != nil {
		all = append(all, kgo.DialTLSConfig(config))
	}
	if o.SASLUser != "" {
		if o.Mechanism == "PLAIN" {
			all = append(all, kgo.SASL(plain.Auth{User: o.SASLUser, Pass: o.SASLPassword}.AsMechanism()))
		} else {
			all = append(all, kgo.SASL(scram.Auth{User: o.SASLUser, Pass: o.SASLPassword}.AsSha256Mechanism()))
		}
	}
	if o.Consume {
		return append(all, kgo.ConsumeTopics(o.Topic), kgo.ConsumerGroup(o.Group),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	switch o.Acks {
	case "0":
		all = append(all, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		all = append(all, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !o.Idempotent && o.Transaction == "" {
		all = append(all, kgo.DisableIdempotentWrite())
	}
	if o.Transaction != "" {
		all = append(all, kgo.TransactionalID(o.Transaction))
	}
	return all
}

func produce(client *kgo.Client, o records.Options) {
	ctx := context.Background()
	if o.Transaction != "" {
		records.Fail(client.BeginTransaction())
	}
	var answers sync.WaitGroup
	started := time.Now()
	for i, record := range o.Read() {
		o.Pace(&started, i)
		answers.Add(1)
		client.Produce(ctx, convert(record), func(sent *kgo.Record, err error) {
			defer answers.Done()
			if err != nil {
				records.Refused(record.ID, err)
				return
			}
			records.Acknowledged(record.ID, sent.Partition, sent.Offset)
		})
		if o.Batch > 0 && (i+1)%o.Batch == 0 {
			records.Fail(client.Flush(ctx))
			answers.Wait()
		}
	}
	records.Fail(client.Flush(ctx))
	answers.Wait()
	if o.Transaction != "" {
		records.Fail(client.EndTransaction(ctx, kgo.TryCommit))
	}
}

func consume(client *kgo.Client, o records.Options) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for seen := 0; seen < o.Count; {
		fetches := client.PollFetches(ctx)
		records.Fail(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			seen++
			records.Consumed(record.Partition, record.Offset, record.Value)
		})
	}
	records.Fail(client.CommitUncommittedOffsets(ctx))
}

func convert(record records.Record) *kgo.Record {
	converted := &kgo.Record{Key: record.Key, Value: record.Value}
	for _, header := range record.Headers {
		converted.Headers = append(converted.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	return converted
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "none":
		return kgo.NoCompression()
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	records.Fail(fmt.Errorf("codec %q", name))
	return kgo.NoCompression()
}
