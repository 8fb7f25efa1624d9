// A Kafka consumer that writes the traits of identify events to Redis hashes: what a competent
// engineer writes in an evening. It flattens the traits, writes in pipelines of 500, keeps the
// order of each partition, and commits offsets after Redis has confirmed them.
//
// It does not check that an event is valid JSON, has no dead letters, no metrics and no limits, and
// ends at the first error.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/tidwall/gjson"
	"github.com/twmb/franz-go/pkg/kgo"
)

const pipelineLength = 500

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "addresses of brokers")
	topic := flag.String("topic", "events", "topic to read from its start")
	group := flag.String("group", "peer", "consumer group")
	address := flag.String("redis", "127.0.0.1:6379", "address of Redis")
	events := flag.Int("events", 0, "print \"done\" when so many events are settled")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store := redis.NewClient(&redis.Options{Addr: *address})
	defer store.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(*brokers, ",")...),
		kgo.ConsumerGroup(*group),
		kgo.ConsumeTopics(*topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	settled := 0
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		for _, failed := range fetches.Errors() {
			log.Fatalf("%s, partition %d: %v", failed.Topic, failed.Partition, failed.Err)
		}
		if err := write(ctx, store, fetches); err != nil {
			log.Fatal(err)
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			log.Fatal(err)
		}
		before := settled
		settled += fetches.NumRecords()
		if before < *events && settled >= *events {
			fmt.Println("done")
		}
	}
}

// write sends the fields of all identify events in pipelines, and waits for the replies.
func write(ctx context.Context, store *redis.Client, fetches kgo.Fetches) error {
	pipe := store.Pipeline()
	for records := fetches.RecordIter(); !records.Done(); {
		event := records.Next().Value
		if gjson.GetBytes(event, "type").Str != "identify" {
			continue
		}
		found := gjson.GetManyBytes(event, "userId", "traits")
		user, traits := found[0].Str, found[1]
		if user == "" || !traits.IsObject() {
			continue
		}
		if fields := flatten(make([]any, 0, 32), "", traits); len(fields) > 0 {
			pipe.HSet(ctx, "user:"+user, fields...)
		}
		if pipe.Len() == pipelineLength {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
	}
	_, err := pipe.Exec(ctx)
	return err
}

// flatten appends the names and values below value; nested names are joined with dots.
func flatten(fields []any, prefix string, value gjson.Result) []any {
	value.ForEach(func(name, value gjson.Result) bool {
		path := prefix + name.String()
		switch {
		case value.IsObject():
			fields = flatten(fields, path+".", value)
		case value.Type == gjson.String:
			fields = append(fields, path, value.String())
		default:
			fields = append(fields, path, value.Raw)
		}
		return true
	})
	return fields
}
