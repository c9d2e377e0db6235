// Reads labelled records from stdin and writes, for each, what alcatraz finds. The last line of stderr has the time.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hoophq/alcatraz"
)

type finding struct {
	Type  string `json:"type"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

func main() {
	engine := alcatraz.NewEngine()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<26)
	output := json.NewEncoder(os.Stdout)
	bytes, spent := 0, time.Duration(0)
	for input.Scan() {
		var record struct{ Payload string }
		if err := json.Unmarshal(input.Bytes(), &record); err != nil {
			panic(err)
		}
		start := time.Now()
		results := engine.Analyze(record.Payload, alcatraz.Options{})
		spent += time.Since(start)
		bytes += len(record.Payload)
		found := []finding{}
		for _, result := range results {
			found = append(found, finding{result.EntityType, result.Start, result.End})
		}
		if err := output.Encode(found); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(os.Stderr, "bytes=%d seconds=%.3f\n", bytes, spent.Seconds())
}
