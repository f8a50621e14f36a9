// A small S3 server for tests, which checks signatures: rclone's gofakes3 (what `rclone serve s3` is
// made of), in memory, with one bucket.
//
//	s3-server BUCKET ACCESS_KEY SECRET_KEY   prints its http://HOST:PORT, and serves until its
//	                                         standard input ends
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3-server BUCKET ACCESS_KEY SECRET_KEY")
	}
	backend := s3mem.New()
	if err := backend.CreateBucket(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	keys := map[string]string{os.Args[2]: os.Args[3]}
	server := gofakes3.New(backend, gofakes3.WithV4Auth(keys), gofakes3.WithoutVersioning())
	go func() { log.Fatal(http.Serve(listener, server.Server())) }()
	fmt.Printf("http://%s\n", listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
