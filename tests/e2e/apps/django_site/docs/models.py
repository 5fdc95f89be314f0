from django.db import models


class Document(models.Model):
    title = models.CharField(max_length=100)
    note = models.TextField(blank=True)
    file = models.FileField(upload_to="documents", blank=True)
    changed = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.title
